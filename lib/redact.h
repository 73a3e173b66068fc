/* SPDX-License-Identifier: MIT */
/*
 * Does a key name a secret? In: the key of an attribute, once, when it is interned. Out: yes or no; the value of such a key is
 * never written to shared memory. Runs under the name lock.
 *
 * The key is taken apart into words: at everything that is no letter or digit, at the borders of camelCase and PascalCase
 * (apiKey, XApiKey, APIKey), digits at the end of a word are left out (password2). Case does not matter.
 *
 * The key names a secret when
 *   1. one of its words does: password, secret, credential, authorization, cookie, bearer, ... (redact.c has the list), or
 *   2. two neighbouring words do: "api key", "private key", "session id", ..., or
 *   3. its last word is `token` or `auth`, or `token` is followed by a word for its content (value, header, string), unless
 *      the word before says that a token is counted or is a piece of text (per_token, first_token, max_token, eos_token), or
 *   4. all its words written together are one of rule 1 (passWord), or
 *   5. it holds one of the words that the user adds (several in one: neighbours, in that order).
 * So these are none: token_efficiency, tokens, max_tokens, tokenizer, author, keyboard, secretary, batch_key.
 */
#ifndef GB_LIB_REDACT_H
#define GB_LIB_REDACT_H

#include <stdbool.h>
#include <stddef.h>

/* `more`: further words, separated by commas; may be empty. */
bool redact_key(const char *key, size_t length, const char *more);

#endif
