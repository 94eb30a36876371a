"""The bundled sample: thirty days of Juniper & Rye, a bakery with four shops that exists only here.

Each shop is a tenant with a web shop of its own and its own way of exporting events:

* ``lisbon``: PostHog style NDJSON, one file per week;
* ``porto``: one CSV file, the tenant in a ``location_id`` column;
* ``madrid``: one Parquet file with typed columns;
* ``london``: flat, Segment style NDJSON, gzipped, times in Unix milliseconds.

People find the shop through search, adverts, newsletters and friends, browse the menu, ask the ordering assistant
(``tool_call`` events), sign up, order, and pick up at the counter. Customer numbers start from ``cust-0001`` in every
shop, so equal ids in two tenants are two people. Everything is invented and a pure function of one seed.
"""
