"""Trousseau: the key cabinet that keeps the register of PROC-INT-006."""
