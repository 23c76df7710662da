"""The documentation site: links between pages, and pages that are made from the code."""
