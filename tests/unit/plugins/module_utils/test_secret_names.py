# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of values as charts, manifests and ARM bodies really have them, in both directions."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.mcpops.platform.plugins.module_utils.secret_names import secret_name
from ansible_collections.mcpops.platform.plugins.module_utils.secrets import (
    REDACTED,
    credentials_in,
    is_secret,
    looks_secret,
    redact,
    secrets_in,
)

# the words of each are put together in every way of writing a name
SECRET_WORDS = (
    "db pwd",
    "root password",
    "key passphrase",
    "storage account key",
    "account key",
    "primary key",
    "connection string",
    "client secret",
    "sas token",
    "session jwt",
    "github pat",
    "api key",
    "aws secret access key",
    "redis credentials",
    "private key",
    "smtp pass",
    "encryption key",
    "registry htpasswd",
    "admin kubeconfig",
    "pull token",
)
OTHER_WORDS = (
    "secret name",
    "existing secret",
    "token audience",
    "secret key ref",
    "password policy",
    "password min length",
    "access key id",
    "api key header",
    "token expiration seconds",
    "image pull secrets",
    "credentials secret name",
    "topology key",
    "partition key",
    "ssh public key",
    "max tokens",
    "token url",
    "secret provider class",
    "key vault name",
    "service account name",
    "create secret",
)
STYLES = {
    "camel": lambda words: words[0] + "".join(word.capitalize() for word in words[1:]),
    "pascal": lambda words: "".join(word.capitalize() for word in words),
    "snake": "_".join,
    "screaming": lambda words: "_".join(words).upper(),
    "kebab": "-".join,
}
# bitnami, kube-prometheus-stack, cert-manager, external-dns, argo-cd, ARM and Kubernetes
SECRET_PATHS = """
auth.postgresPassword auth.replicationPassword global.postgresql.auth.password grafana.adminPassword
alertmanager.config.global.smtp_auth_password configs.secret.argocdServerAdminPassword bearer jwt pat passphrase
configs.secret.githubSecret azure.clientSecret aws.credentials.secretKey aws.credentials.accessKey
externalRedis.password rabbitmq.auth.erlangCookieSecret tokens[0] tokens.alice values.secrets.azure.clientId
keycloak.auth.adminpassword mysqlpwd rootpw dbpass gitlab.registrationToken tls.key secret.data.foo
extraEnv[DB_PASSWORD].value spec.template.spec.containers[main].env[API_TOKEN].value data."jwt.key"
properties.administratorLoginPassword properties.osProfile.adminPassword properties.storageProfile.accountKey
configuration.secrets[0].value environmentVariables[0].secureValue connectionStrings[0].connectionString
servicePrincipalProfile.secret OPENAI_KEY passwordBase64 password2 stringData.password imageCredentials.password
values.api.key session.key app.encryption.key openai.key signing.key hmac.key ssh.key storage.account.key
cosmos.primary.key encryption.keys[0] encryption.current.key license.key webhook.key azure.search.admin.key
basicAuth ingress.basicAuth smtp.auth proxyAuth psk vpn.psk adminPin admin.pin PIN otpSeed otp.seed totp mnemonic
wallet.mnemonic seedPhrase recoveryCode recoveryCodes[0] mfa.recovery.code cookieSalt cookie.salt salt passwort
dbPasswort slackWebhook slack.webhook discordWebhookUrl SLACK_WEBHOOK_URL
"""
OTHER_PATHS = """
auth.existingSecret auth.secretKeys.adminPasswordKey.name grafana.admin.existingSecret grafana.admin.passwordRef
password.enabled secret.create secret.annotations.owner secret.labels.app global.imagePullSecrets[0] PWD
imagePullSecrets[0].name serviceAccount.automountServiceAccountToken ingress.tls[0].secretName tlsSecret
spec.volumes[0].secret.items[0].key spec.volumes[0].secret.secretName containers[token-refresher].image
containers[token].image envFrom[0].secretRef.name valueFrom.secretKeyRef.key valueFrom.secretKeyRef.name
serviceAccountToken.audience serviceAccountToken.path secretsStore.driver.enabled compass bypass tokenizer
keyboard secretary monkey author pathPrefix TOKEN_FILE CREDENTIALS_PATH credentials.username replicas data value
topology.key map.key object.key cache.key ssh.public.key partition.key configMapKeyRef.key apiKeyRef.key
matchExpressions[0].key tolerations[0].key nodeSelectorTerms[0].matchExpressions[0].key existingSecret.key
labelSelector.matchExpressions[0].key remoteRef.key secretKeySelector.key headers[0].key queries[0].key
topologySpreadConstraints[0].topologyKey ports[0].name auth auth.enabled auth.type basicAuth.realm basicAuth.enabled
basicAuth.existingSecret metrics.auth useBasicAuth salt.master saltLength pin.version pinned seed random.seed test.seed
code statusCode exit.code country.code webhook admissionWebhook.port webhook.url catchphrase shipping spinner otpLength
key azureKeyvaultSecretsProvider.config.rotationPollInterval rules[0].resources[0] metadata.name
"""


@pytest.mark.parametrize("style", STYLES)
def test_names_of_secrets(style: str) -> None:
    names = [STYLES[style](words.split()) for words in SECRET_WORDS]
    assert [name for name in names if not secret_name(name)] == []
    assert [name for name in names if not secret_name(f"values.app.{name}")] == []
    assert [name for name in names if not is_secret(f"a.{name}", "k3Yvalue")] == []


@pytest.mark.parametrize("style", STYLES)
def test_names_of_what_is_about_a_secret(style: str) -> None:
    names = [STYLES[style](words.split()) for words in OTHER_WORDS]
    assert [name for name in names if secret_name(name)] == []


def test_paths_to_secrets() -> None:
    assert [path for path in SECRET_PATHS.split() if not secret_name(path)] == []


def test_paths_to_anything_else() -> None:
    assert [path for path in OTHER_PATHS.split() if secret_name(path)] == []


@pytest.mark.parametrize("value", [True, None, "true", "30", 8080, "$(DB_PASSWORD)", "${DB_PASSWORD}", ""])
def test_switches_numbers_and_references_are_shown(value: object) -> None:
    assert not is_secret("db.password", value)


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("GOOGLE_APPLICATION_CREDENTIALS", "/var/run/google/key.json", False),
        ("GOOGLE_APPLICATION_CREDENTIALS", '{"type": "service_account"}', True),
        ("KUBECONFIG", "~/.kube/config", False),
        ("datadogKey", "8f2c1a9b7d6e4f3a8f2c1a9b", True),
        ("datadogKey", "team-colour", False),
        ("datadog.key", "8f2c1a9b7d6e4f3a8f2c1a9b", True),
        ("datadog.key", "team-colour", False),
        ("tolerations[0].key", "pool-of-nodes-number-000001", False),
        ("matchLabels.key", "8f2c1a9b7d6e4f3a8f2c1a9b", False),
        ("smtp.auth", "login", False),
        ("smtp.auth", "mailer:hunter2x", True),
        ("adminPin", "4711", True),
        ("basicAuth", True, False),
        ("rowKey", "8f2c1a9b7d6e4f3a8f2c1a9b", False),
        ("topologyKey", "topology.kubernetes.io/zone1", False),
    ],
)
def test_the_value_counts_as_well(name: str, value: str, secret: bool) -> None:
    assert is_secret(name, value) is secret


def test_the_name_beside_a_value_says_what_it_is() -> None:
    assert looks_secret("env[0].value", "hunter2x", "DB_PASSWORD")
    assert not looks_secret("env[0].value", "info", "LOG_LEVEL")
    assert not looks_secret("env[0].name", "DB_PASSWORD", "DB_PASSWORD")


def test_secrets_are_found_wherever_a_structure_has_them() -> None:
    document = {
        "db": {"pwd": "one-1", "existingSecret": "not-a", "port": 5432},
        "env": [{"name": "API_TOKEN", "value": "two-2"}, {"name": "LEVEL", "value": "not-b"}],
        "args": ["--admin-password", "three-3", "--token=four-4", "--token-file", "/not/c"],
        "url": "postgres://app:five-5@db.example.com/x",
        "config": "level: not-d\npassword: six-6\n",
        "pin": {"password": 1234567},
        "api": {"key": "seven-7", "kind": "not-e"},
        "tolerations": [{"key": "not-f", "operator": "Exists"}],
        "datadog": {"key": "8f2c1a9b7d6e4f3a8f2c1a9b"},
    }
    found = set(secrets_in(document))
    assert found == {
        "one-1",
        "two-2",
        "three-3",
        "four-4",
        "app:five-5",
        "six-6",
        "1234567",
        "seven-7",
        "8f2c1a9b7d6e4f3a8f2c1a9b",
    }


@pytest.mark.parametrize(("quote", "separator"), list(itertools.product(["", '"', "'"], ["=", ": ", " = "])))
def test_values_behind_names_in_a_text(quote: str, separator: str) -> None:
    assert credentials_in(f"x=1 dbPassword{separator}{quote}hunter2x{quote} y=2") == ["hunter2x"]
    assert credentials_in(f"passwordPolicy{separator}{quote}strict{quote}") == []


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("https://hooks.slack.com/services/T00/B00/XyZ12345", "T00/B00/XyZ12345"),
        ("posts to https://discord.com/api/v10/webhooks/1234/abc-DEF, once", "1234/abc-DEF,"),
        ("https://contoso.webhook.office.com/webhookb2/0a1b@2c/IncomingWebhook/9", "0a1b@2c/IncomingWebhook/9"),
        ("https://api.telegram.org/bot123:AA-bb/sendMessage", "bot123:AA-bb/sendMessage"),
        ("# who\ndb.example.com:5432:*:app:hunter2x\n", "hunter2x"),
    ],
)
def test_credentials_that_a_form_tells(text: str, secret: str) -> None:
    assert secret in credentials_in(text) and secret not in redact(text)


@pytest.mark.parametrize(
    "text", ["https://hooks.example.com/services/a/b/c12345678", "registry:5000/a:1", "a:80:b:c:d"]
)
def test_other_addresses_are_shown(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("text", ["x" * 100_000, "a." * 50_000, "a+b-" * 25_000, "password" * 12_000, "a b " * 25_000])
def test_a_long_text_is_done_in_time(text: str) -> None:
    """A pattern that tries every beginning of a long word would not come to an end here."""
    assert redact(f"key: 1 {text} : {text}").count(REDACTED) <= 1
