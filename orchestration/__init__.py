"""Dagster definitions: the assets, checks, job, schedules and sensor that run Footfall."""
