# SPDX-License-Identifier: Apache-2.0
"""Keys, signers, COSE signatures, key sets and the rules by which an image is accepted."""
