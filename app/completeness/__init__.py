"""How complete customers are, and who fills the gaps."""
