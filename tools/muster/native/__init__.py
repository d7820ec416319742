# SPDX-License-Identifier: Apache-2.0
"""The C of the library: the device's own patch decoder, and an encoder that shares its model, as `muster._native`."""
