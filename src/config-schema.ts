// The settings: one schema, from which the reader, its messages and .env.example are made.
import { Type, type Static } from '@sinclair/typebox'

const roleNames = ['api', 'projector', 'reactor', 'publisher'] as const
export type ProcessRole = (typeof roleNames)[number]

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

const word = (options: { description: string, default?: string, examples?: string[], pattern?: string }) =>
  Type.String({ minLength: 1, maxLength: 4096, ...options })
const oneOf = <T extends string>(values: readonly T[], options: { description: string, default: T }) =>
  Type.Unsafe<T>({ type: 'string', enum: [...values], ...options })

/**
 * Every setting of the service. A default makes it optional. The description is one sentence that ends in a full
 * stop, and goes into .env.example and the reference.
 */
export const settingsSchema = Type.Object({
  CHANCERY_EVENTSTORE_URL: Type.Optional(word({
    description: 'An EventStoreDB or KurrentDB to use; without it a local event store runs in the data folder.',
    pattern: '^(esdb|kurrentdb)(\\+discover)?://', examples: ['esdb://admin:changeit@db.internal:2113?tls=true']
  })),
  CHANCERY_POSTGRES_URL: Type.Optional(word({
    description: 'A Postgres (16 or newer) to use; without it a local one runs in the data folder.',
    pattern: '^postgres(ql)?://', examples: ['postgres://chancery:password@db.internal:5432/chancery']
  })),
  CHANCERY_REDIS_URL: Type.Optional(word({
    description: 'A Redis (7 or newer) or Valkey for the lifecycle stream; without it a local one runs in the data folder.',
    pattern: '^rediss?://', examples: ['rediss://chancery:password@redis.internal:6379/0']
  })),
  CHANCERY_LIFECYCLE_STREAM: word({
    description: 'Key of the Redis stream of lifecycle events; CHANCERY_NAMESPACE and a colon go in front.', default: 'user:lifecycle_events', pattern: '^[!-~]{1,200}$'
  }),
  CHANCERY_LIFECYCLE_RETENTION_DAYS: Type.Number({
    exclusiveMinimum: 0, maximum: 3650, default: 30, description: 'How long the lifecycle stream reaches back, in days; longer while a registered consumer has not acknowledged.'
  }),
  CHANCERY_HTTP_HOST: word({ description: 'Address to listen on. One that is not loopback needs TLS or CHANCERY_TRUSTED_PROXIES.', default: '127.0.0.1' }),
  CHANCERY_HTTP_PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 8420, description: 'Port to listen on; 0 takes a free one.' }),
  CHANCERY_DATA_DIR: word({ description: 'Folder of the local stores, keys, logs and the outbox.', default: './data' }),
  CHANCERY_NAMESPACE: Type.Optional(word({
    description: 'Prefix of streams, Postgres schemas and Redis keys, so that several environments share one server.',
    pattern: '^[a-z][a-z0-9_]{0,30}$', examples: ['staging']
  })),
  CHANCERY_PUBLIC_URL: Type.Optional(word({
    description: 'Where people reach the enrolment page; its host is the relying party of passkeys (default http://localhost and the port).',
    pattern: '^https?://', examples: ['https://accounts.example.com']
  })),
  CHANCERY_API_PROCESSES: oneOf<'single' | 'many'>(['single', 'many'], {
    description: 'Whether this process serves the API alone (single) or others share it (many): decides whether rights may be cached.', default: 'single'
  }),
  CHANCERY_ROLES: word({
    description: 'What this process does, separated by commas: api, projector, reactor, publisher.',
    default: roleNames.join(','), pattern: `^(${roleNames.join('|')})(,(${roleNames.join('|')}))*$`
  }),
  CHANCERY_MASTER_KEY: Type.Optional(word({
    description: '32 bytes in base64 or hex that wrap the key of every person; without it, master.key in the data folder.',
    pattern: '^([0-9a-fA-F]{64}|[A-Za-z0-9+/_-]{43}=?)$'
  })),
  CHANCERY_MASTER_KEY_FILE: Type.Optional(word({ description: 'File that holds the master key, instead of CHANCERY_MASTER_KEY.', examples: ['/run/secrets/chancery-master-key'] })),
  CHANCERY_TLS_CERT: Type.Optional(word({ description: 'File of the certificate chain (PEM); goes with CHANCERY_TLS_KEY.' })),
  CHANCERY_TLS_KEY: Type.Optional(word({ description: 'File of the private key (PEM); goes with CHANCERY_TLS_CERT.' })),
  CHANCERY_TRUSTED_PROXIES: Type.Optional(word({
    description: 'Addresses or CIDRs of the proxies in front, separated by commas; their X-Forwarded-For is believed.', examples: ['10.0.0.0/8,192.168.7.4']
  })),
  CHANCERY_SMTP_URL: Type.Optional(word({
    description: 'Where mail goes; without it messages are written to outbox/ in the data folder.', pattern: '^smtps?://', examples: ['smtps://user:password@mail.internal:465']
  })),
  CHANCERY_MAIL_FROM: word({ description: 'Sender of the mail.', default: 'Chancery <no-reply@localhost>' }),
  CHANCERY_GHOST_GRACE_MS: Type.Integer({
    minimum: 0, maximum: 86_400_000, default: 300_000, description: 'How long after the last sign of an enrolment the account is left alone, in milliseconds.'
  }),
  CHANCERY_PURGE_AFTER_DAYS: Type.Number({
    minimum: 0, maximum: 3650, default: 30, description: 'How long the record of a deleted account or tester is kept before it is erased, in days; parts of a day are allowed.'
  }),
  CHANCERY_LINK_TTL_HOURS: Type.Number({ exclusiveMinimum: 0, maximum: 720, default: 24, description: 'How long a walkthrough link is good, in hours.' }),
  CHANCERY_ACCOUNTS_URL: Type.Optional(word({
    description: 'The accounts side, if another service runs it on the same event store, namespace, Postgres and master key; without it, this process does.', pattern: '^https?://', examples: ['https://accounts.internal']
  })),
  CHANCERY_ACCOUNTS_TOKEN: Type.Optional(word({ description: 'Access token for CHANCERY_ACCOUNTS_URL, of a principal with the role accounts-service.' })),
  CHANCERY_OUTGOING_ALLOW: Type.Optional(word({
    description: 'Private addresses that vendors and consumers may have: CIDRs and host names, separated by commas; public ones need no entry.', examples: ['10.20.0.0/16,vault.internal']
  })),
  CHANCERY_OUTGOING_HTTP: oneOf<'https' | 'loopback'>(['https', 'loopback'], {
    description: 'Whether vendors and consumers must be https, or may be plain http on this machine (loopback, for development).', default: 'https'
  }),
  CHANCERY_VENDOR_ACCOUNTS_FILE: Type.Optional(word({
    description: 'JSON file of the accounts that mint and revoke: an object of names and connection strings, or of names and `{"secret", "hosts"}`; manifests name them as connection.', examples: ['/run/secrets/vendor-accounts.json']
  })),
  CHANCERY_FREESCOUT_URL: Type.Optional(word({
    description: 'FreeScout in which the ticket of a revocation is looked up; without it only its form is checked.', pattern: '^https?://', examples: ['https://tickets.example.com']
  })),
  CHANCERY_FREESCOUT_TOKEN: Type.Optional(word({ description: 'API key for CHANCERY_FREESCOUT_URL.' })),
  CHANCERY_PROOF_MAX_AGE_MINUTES: Type.Number({
    exclusiveMinimum: 0, maximum: 1440, default: 15, description: 'How old a consumer\'s proof may be when the old value is to be revoked, in minutes.'
  }),
  CHANCERY_VALUE_GRACE_HOURS: Type.Number({
    minimum: 0, maximum: 8760, default: 24, description: 'How long the value of a finished rotation stays in the vault after it was revoked, in hours.'
  }),
  CHANCERY_LOG_LEVEL: oneOf<(typeof logLevels)[number]>(logLevels, { description: 'The least important lines that are logged.', default: 'info' }),
  CHANCERY_FAILPOINT: Type.Optional(word({
    description: 'For tests: kills the process before or after an append of this type, or at a moment of the publisher.', pattern: '^(append\\.(before|after):[a-z0-9._]+|publisher\\.(before_append|after_append|after_epoch)):kill$',
    examples: ['append.after:account.ghost_reset:kill']
  }))
}, { $id: 'settings' })

export type Settings = Static<typeof settingsSchema>

/** Names that belong to the command line: known, so that they may stand in the same environment. */
export const commandLineNames = ['CHANCERY_URL', 'CHANCERY_TOKEN']
