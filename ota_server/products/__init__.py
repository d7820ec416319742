# SPDX-License-Identifier: Apache-2.0
"""Products: what is made and sold together."""
