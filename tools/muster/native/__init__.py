# SPDX-License-Identifier: Apache-2.0
"""The C of the library: the device's own patch decoder as `muster._decoder`, and the encoder, `muster._encoder`."""
