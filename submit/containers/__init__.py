"""Container image of the jobs: its recipe for Docker and for Apptainer, and its build."""
