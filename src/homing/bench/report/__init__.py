"""What a run found: values, tables, plots and pages."""
