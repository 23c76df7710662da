"""Reports: values, tables, plots, pages and lists of observations."""
