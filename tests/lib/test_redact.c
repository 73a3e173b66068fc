/* SPDX-License-Identifier: MIT */
/* Which keys name a secret: the rule of lib/redact.h, case by case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lib/redact.h"

static void check(const char *const *keys, bool secret)
{
    for (; *keys; keys++)
        if (redact_key(*keys, strlen(*keys), "") != secret)
            fail_msg("%s is %s secret", *keys, secret ? "a" : "no");
}

static void secrets(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "api_key",
        "apiKey",
        "APIKey",
        "X-Api-Key",
        "x-api-keys",
        "APIKEY",
        "API_KEY_2",
        "my.api.key",
        "password",
        "passwd",
        "pwd",
        "user.password",
        "userPassword",
        "password2",
        "passWord",
        "PASSWORD",
        "passphrase",
        "pass_phrase",
        "secret",
        "client_secret",
        "clientSecret",
        "SECRETS",
        "secret_name",
        "credential",
        "credentials",
        "aws.credentials",
        "authorization",
        "Proxy-Authorization",
        "cookie",
        "set-cookie",
        "Set-Cookie",
        "cookies",
        "bearer",
        "bearer_token",
        "token",
        "TOKEN",
        "AUTH_TOKEN",
        "accessToken",
        "access_token",
        "csrf-token",
        "token1",
        "token_2",
        "tokenValue",
        "token_header",
        "refreshtoken",
        "OAuthToken",
        "basic_auth",
        "auth",
        "private_key",
        "privateKey",
        "ssh.private_key",
        "access_key",
        "accessKey",
        "session_id",
        "sessionId",
        "sessionid",
        "jwt",
        "connection_string",
        "XApiKey",
        "  password  ",
        NULL,
    };
    check(keys, true);
}

static void no_secrets(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "token_efficiency",
        "tokenEfficiency",
        "tokenizer",
        "tokens",
        "max_tokens",
        "maxTokens",
        "token_count",
        "tokens_per_second",
        "ms_per_token",
        "time_to_first_token",
        "eos_token",
        "author",
        "authors",
        "authority",
        "auth_time",
        "keyboard",
        "key",
        "batch_key",
        "primary_key",
        "sort_key",
        "keys",
        "secretary",
        "secretariat",
        "passenger",
        "pass",
        "passes",
        "compass",
        "cookiecutter",
        "apikeyboard",
        "session",
        "session_count",
        "api",
        "api_calls",
        "bearing",
        "file",
        "model",
        "batch_size",
        "",
        "_",
        "-",
        "42",
        "x",
        NULL,
    };
    check(keys, false);
}

static void users_words(void **state)
{
    (void)state;
    const char *more = "ssn,employeeId, account number ,,";
    assert_true(redact_key("ssn", 3, more));
    assert_true(redact_key("customer.SSN", 12, more));
    assert_true(redact_key("employee_id", 11, more));
    assert_true(redact_key("account-number", 14, more));
    assert_false(redact_key("employee", 8, more));
    assert_false(redact_key("ssnap", 5, more));
    assert_false(redact_key("number_account", 14, more));
}

/* A key of the greatest length with a border at each letter: the words take twice the room. */
static void longest(void **state)
{
    (void)state;
    char key[255];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = i % 2 ? 'b' : 'A';
    assert_false(redact_key(key, sizeof key, ""));
    memset(key, 'A', sizeof key);
    memcpy(key + sizeof key - 9, "_password", 9);
    assert_true(redact_key(key, sizeof key, ""));
    for (unsigned byte = 0; byte < 256; byte++) {
        memset(key, (int)byte, sizeof key);
        redact_key(key, sizeof key, key[0] == 0 ? "" : "x");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets),
        cmocka_unit_test(no_secrets),
        cmocka_unit_test(users_words),
        cmocka_unit_test(longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
