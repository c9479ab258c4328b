"""Readers, door, hooks and front signals, and the simulated ones that ship with the product."""
