// Read model `tokens`: every walkthrough token with its times; the token itself is stored nowhere.
import { table } from './columns.ts'
import { defineProjector, ignored } from './define.ts'

export const tokens = defineProjector({
  name: 'tokens',
  version: 1,
  categories: ['tester'],
  tables: {
    tokens: table({
      columns: {
        token_id: 'uuid',
        tester_id: 'uuid',
        user_id: 'uuid',
        imported: 'boolean',
        minted_at: 'timestamptz',
        expires_at: 'timestamptz?',
        consumed_at: 'timestamptz?',
        revoked_at: 'timestamptz?',
        revoked_cause: 'text?',
        minted_position: 'int8'
      },
      key: ['token_id'],
      indexes: ['(tester_id, minted_position)', '(user_id)']
    })
  },
  on: {
    'walkthrough_token.minted': ({ tokens }, { data, position }) => tokens.put({
      token_id: data.tokenId, tester_id: data.testerId, user_id: data.userId, imported: false, minted_at: data.mintedAt,
      expires_at: data.expiresAt, consumed_at: null, revoked_at: null, revoked_cause: null, minted_position: position
    }),
    'walkthrough_token.imported': ({ tokens }, { data, position }) => tokens.put({
      token_id: data.tokenId, tester_id: data.testerId, user_id: data.userId, imported: true, minted_at: data.mintedAt,
      expires_at: null, consumed_at: data.consumedAt ?? null, revoked_at: null, revoked_cause: null, minted_position: position
    }),
    'walkthrough_token.consumed': ({ tokens }, { data }) =>
      tokens.patch({ token_id: data.tokenId }, (token) => ({ consumed_at: token.consumed_at ?? data.consumedAt })),
    'walkthrough_token.revoked': ({ tokens }, { data }) =>
      tokens.patch({ token_id: data.tokenId }, { revoked_at: data.revokedAt, revoked_cause: data.cause }),
    'tester.invited': ignored,
    'tester.imported': ignored,
    'mail.requested': ignored,
    'mail.attempted': ignored,
    'mail.sent': ignored,
    'mail.failed': ignored,
    'console.beta.ghost_reset.initiated': ignored,
    'console.beta.ghost_reset.refused': ignored,
    'console.beta.ghost_reset.completed': ignored,
    'tester.deleted': ignored,
    'tester.legal_hold_placed': ignored,
    'tester.legal_hold_lifted': ignored,
    'tester.erasure_started': ignored,
    'tester.purged': ignored
  }
})
