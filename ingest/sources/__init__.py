"""Operational databases as sources: what is read of them, how, and how it lands."""
