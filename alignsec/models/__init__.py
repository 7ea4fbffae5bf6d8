"""Networks: how the models of each source are built and filled, in the job and with torch."""
