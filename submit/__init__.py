"""Commands of the access point: they write a run folder from a study and the site's settings, and submit its
DAG."""
