"""The only HTTP: QuickBooks' login, its protocol, and the two questions asked of it.

hook      an Airflow connection becomes a client
settings  what the connection must say
tokens    one valid access token, however many processes ask
login     Intuit's token endpoint
client    one request, answered or explained
reading   everything of an entity; what changed since
"""
