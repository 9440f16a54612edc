"""How each kind of model is saved without pickle, loaded and run: one module a flavour, and the registry of them.

A candidate returns what its library gives it. `as_model` finds the flavour that takes it; what the flavour makes of it
predicts, saves and loads in one way, whatever the library (`airloom.stores.model_files.Model`).
"""
