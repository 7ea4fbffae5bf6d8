"""Resource requests of jobs: estimates, measurements of finished pairs, and their summary."""
