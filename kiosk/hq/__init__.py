"""Headquarters: the subscriber that stores what every cabinet sends, and the central register."""
