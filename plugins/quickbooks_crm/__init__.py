"""Keeps a CRM in Postgres true to QuickBooks Online; `pipeline` tells the whole story."""
