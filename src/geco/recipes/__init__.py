"""A recipe is a Python function without arguments that returns a whole
:class:`geco.recipes.recipe.Recipe`.
"""
