"""The HTTP service: the published tables for applications, a tenant at a time."""
