"""What runs on the access point: a study and a site in, a run folder with the DAG out."""
