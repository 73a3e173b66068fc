/* SPDX-License-Identifier: MIT */
/*
 * The buckets of every distribution here: base 2, scale 5, so 32 of them a doubling, as OpenTelemetry's exponential histogram
 * has it. Bucket i of a sign holds the magnitudes in (2^(i/32), 2^((i+1)/32)]. In: the bits of a double. Out: its band, which is the
 * exponent, and its bucket in there; without a logarithm. For the collector's histograms and the worker's fold tables alike, so that
 * the one can be added to the other.
 *
 * Inside a band the six top bits of the mantissa give the bucket at the start of that sixty-fourth; a bucket is wider
 * than a sixty-fourth of a doubling anywhere, so at most one bound lies inside, and one comparison decides. Buckets include their
 * upper bound, so the double next below the value is placed, which makes bounds inclusive below; bounds are kept rounded down for
 * the same reason.
 */
#ifndef GB_BUCKET_H
#define GB_BUCKET_H

#include <stdint.h>

#define GB_BUCKET_SCALE 5
#define GB_BUCKETS (1u << GB_BUCKET_SCALE) /* in a band */
#define GB_BUCKET_BIAS 1023                /* bucket i of band b has the index (b - bias) * 32 + i */

#define GB_BUCKET_MANTISSA_BITS 52
#define GB_BUCKET_LEAST (1ull << GB_BUCKET_MANTISSA_BITS) /* bits of the least normal double: below is zero */

/* Mantissas of 2^(k/32), rounded down; the last is beyond every mantissa. */
static const uint64_t gb_bucket_bounds[GB_BUCKETS + 1] = {
    0x0000000000000u, 0x059b0d3158574u, 0x0b5586cf9890fu, 0x11301d0125b50u, 0x172b83c7d517au, 0x1d4873168b9aau,
    0x2387a6e756238u, 0x29e9df51fdee1u, 0x306fe0a31b715u, 0x371a7373aa9cau, 0x3dea64c123422u, 0x44e086061892du,
    0x4bfdad5362a27u, 0x5342b569d4f81u, 0x5ab07dd485429u, 0x6247eb03a5584u, 0x6a09e667f3bccu, 0x71f75e8ec5f73u,
    0x7a11473eb0186u, 0x82589994cce12u, 0x8ace5422aa0dbu, 0x93737b0cdc5e4u, 0x9c49182a3f090u, 0xa5503b23e255cu,
    0xae89f995ad3adu, 0xb7f76f2fb5e46u, 0xc199bdd85529cu, 0xcb720dcef9069u, 0xd5818dcfba487u, 0xdfc97337b9b5eu,
    0xea4afa2a490d9u, 0xf50765b6e4540u, GB_BUCKET_LEAST};

/* `bits`: of a positive, normal double. */
static inline uint32_t gb_bucket_place(uint64_t bits, uint32_t *ret_band)
{
    /* the bucket in which each sixty-fourth of a doubling begins */
    static const uint8_t begins[64] = {0,  0,  1,  2,  2,  3,  4,  4,  5,  6,  6,  7,  7,  8,  9,  9,
                                       10, 10, 11, 12, 12, 13, 13, 14, 14, 15, 15, 16, 16, 17, 17, 18,
                                       18, 19, 19, 20, 20, 21, 21, 21, 22, 22, 23, 23, 24, 24, 25, 25,
                                       25, 26, 26, 27, 27, 27, 28, 28, 29, 29, 29, 30, 30, 30, 31, 31};
    bits--;
    uint64_t mantissa = bits & (GB_BUCKET_LEAST - 1);
    uint32_t bucket = begins[mantissa >> (GB_BUCKET_MANTISSA_BITS - 6)];
    *ret_band = (uint32_t)(bits >> GB_BUCKET_MANTISSA_BITS);
    return bucket + (mantissa >= gb_bucket_bounds[bucket + 1]);
}

#endif
