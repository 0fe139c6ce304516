"""How profiles evolve, what batch updates cost, and when the population moves further than its own log explains."""
