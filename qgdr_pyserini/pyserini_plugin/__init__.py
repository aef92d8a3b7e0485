"""How stock Pyserini finds us: import hook, encoder classes, Java, one shim per upstream defect."""
