"""The Core API's document: OpenAPI 3.1, made of the route table and of the typed classes that bodies are read into.

Belongs here: from routes and classes to the document, and to a page of it. Does not: the table (core/table.py).
"""
