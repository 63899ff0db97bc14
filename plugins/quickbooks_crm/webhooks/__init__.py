"""Webhooks: QuickBooks tells that something changed. A hint to sync early, never data.

    receiver ▶ inbox ▶ hint ▶ an ordinary sync, earlier than its schedule

Polling stays the base: without a receiver nothing is missed, it only comes later.
"""
