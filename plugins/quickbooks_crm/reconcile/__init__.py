"""Reconcile: does the mirror have what QuickBooks has, and the CRM what the mirror has?

    QuickBooks ↔ mirror   with_quickbooks   counts first; records are read only where these differ
    mirror ↔ CRM          with_crm          in SQL, module by module
                          report            what was found, for people

Nothing is repaired unasked, but for the mirror where QuickBooks has changed a record without saying
so. A repair makes the mirror right and gives every record whose CRM side is wrong to the next sync,
which loads it like any changed one.
"""
