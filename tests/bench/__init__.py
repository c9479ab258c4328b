"""The figures of `make bench`: what the cabinet costs beyond the least that the same work could cost, measured in one run."""
