"""Questions answered with passages: what `qgdr ask` and `qgdr serve` have in common."""
