"""Simulated hardware, shipped with the product: the demo runs on it, and the tests drive radio frames and pins, not mocks."""
