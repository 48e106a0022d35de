"""Groups of people who are alike, found without being told what to look for.

`scaling` facts on one scale; `fitted` groups as plain arrays that tell whom they hold, without the
library that found them; `finding` k-means and Gaussian mixtures; `reference` people as they would
be if they were one group; `choosing` how many groups there are, if any; `matching` which group of
a new finding is which of the one before.
"""
