"""How the book is made: manifest, execution, gates, staging, HTML checks, provenance."""
