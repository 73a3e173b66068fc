/* SPDX-License-Identifier: MIT */
/* See redact.h. */
#include "lib/redact.h"

#include <string.h>

#include "gb/wire.h"

/* Words, each between two underscores: "_x_api_key_". A split can at most double the bytes. */
#define WORDS_MAX (2 * GBW_NAME_LENGTH_MAX + 3)

/* Rules 1 and 2. Sought as whole words: "_" word "_". */
static const char *const secrets[] = {
    "_password_",
    "_passwords_",
    "_passwd_",
    "_passphrase_",
    "_passcode_",
    "_pwd_",
    "_secret_",
    "_secrets_",
    "_credential_",
    "_credentials_",
    "_creds_",
    "_authorization_",
    "_cookie_",
    "_cookies_",
    "_bearer_",
    "_jwt_",
    "_otp_",
    "_apikey_",
    "_apikeys_",
    "_apitoken_",
    "_accesskey_",
    "_secretkey_",
    "_privatekey_",
    "_authtoken_",
    "_accesstoken_",
    "_refreshtoken_",
    "_sessiontoken_",
    "_idtoken_",
    "_sessionid_",
    "_jsessionid_",
    "_phpsessid_",
    "_api_key_",
    "_api_keys_",
    "_access_key_",
    "_access_keys_",
    "_private_key_",
    "_private_keys_",
    "_signing_key_",
    "_ssh_key_",
    "_encryption_key_",
    "_decryption_key_",
    "_master_key_",
    "_shared_key_",
    "_hmac_key_",
    "_session_id_",
    "_session_key_",
    "_pass_phrase_",
    "_connection_string_",
};

/* Rule 3. Before `token`: it is counted, or a piece of text. After it: its content. */
static const char *const harmless_before[] = {
    "_per_token_", "_first_token_", "_last_token_", "_max_token_",  "_min_token_",   "_num_token_",    "_eos_token_",
    "_bos_token_", "_pad_token_",   "_unk_token_",  "_mask_token_", "_input_token_", "_output_token_", "_prompt_token_",
};
static const char *const content_after[] = {"_token_value_", "_token_header_", "_token_string_"};

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool in_word(char c)
{
    return is_upper(c) || is_lower(c) || is_digit(c) || (unsigned char)c >= 0x80;
}

/* Is there a border before key[i], which is in a word, as key[i - 1] is? "apiKey": before K; "APIKey": before K. */
static bool camel_border(const char *key, size_t length, size_t i)
{
    if (!is_upper(key[i]))
        return false;
    return !is_upper(key[i - 1]) || (i + 1 < length && is_lower(key[i + 1]));
}

/* Ends a word: without the digits at its end, and not at all when nothing else is in it. */
static size_t end_word(const char *words, size_t n)
{
    while (is_digit(words[n - 1]))
        n--;
    return n;
}

/* "X-ApiKey2" -> "_x_api_key_" */
static void split(const char *key, size_t length, char words[WORDS_MAX])
{
    size_t n = 0;
    words[n++] = '_';
    for (size_t i = 0; i < length; i++) {
        bool inside = in_word(key[i]);
        if ((!inside || (i > 0 && in_word(key[i - 1]) && camel_border(key, length, i))) && words[n - 1] != '_') {
            n = end_word(words, n);
            if (words[n - 1] != '_')
                words[n++] = '_';
        }
        if (inside)
            words[n++] = is_upper(key[i]) ? (char)(key[i] - 'A' + 'a') : key[i];
    }
    n = end_word(words, n);
    if (words[n - 1] != '_')
        words[n++] = '_';
    words[n] = '\0';
}

/* "_pass_word_" -> "_password_" */
static void join(const char *words, char joined[WORDS_MAX])
{
    size_t n = 0;
    joined[n++] = '_';
    for (; *words; words++)
        if (*words != '_')
            joined[n++] = *words;
    joined[n++] = '_';
    joined[n] = '\0';
}

static bool any_of(const char *words, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(words, list[i]))
            return true;
    return false;
}
#define ANY_OF(words, list) any_of(words, list, sizeof list / sizeof *list)

static bool ends_with(const char *words, const char *end)
{
    size_t n = strlen(words), m = strlen(end);
    return n >= m && strcmp(words + n - m, end) == 0;
}

static bool token_rule(const char *words)
{
    if (ends_with(words, "_auth_"))
        return true;
    if (ANY_OF(words, harmless_before))
        return false;
    return ends_with(words, "_token_") || ANY_OF(words, content_after);
}

static bool user_rule(const char *words, const char *more)
{
    char wanted[WORDS_MAX];
    while (*more) {
        size_t length = strcspn(more, ",");
        split(more, length < GBW_NAME_LENGTH_MAX ? length : GBW_NAME_LENGTH_MAX, wanted);
        if (wanted[1] != '\0' && strstr(words, wanted))
            return true;
        more += length;
        more += *more == ',';
    }
    return false;
}

bool redact_key(const char *key, size_t length, const char *more)
{
    char words[WORDS_MAX], joined[WORDS_MAX];

    split(key, length < GBW_NAME_LENGTH_MAX ? length : GBW_NAME_LENGTH_MAX, words);
    join(words, joined);
    return ANY_OF(words, secrets) || ANY_OF(joined, secrets) || token_rule(words) || user_rule(words, more);
}
