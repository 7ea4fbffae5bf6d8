"""Study files: tables that users write, their validation and error messages. No torch."""
