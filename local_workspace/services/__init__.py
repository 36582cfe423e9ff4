"""The Azure ML services, one package or module each, named as on the wire."""
