"""The inventory: filings of the form, their rules and findings, declared against seen."""
