// Read model `consumers`: who follows the lifecycle stream, and which receipts came in; for lists and for what is overdue.
import { table } from './columns.ts'
import { defineProjector, ignored } from './define.ts'

export const consumers = defineProjector({
  name: 'consumers',
  version: 1,
  categories: ['consumer', 'receipt'],
  tables: {
    consumers: table({
      columns: {
        name: 'text',
        consumer_group: 'text',
        overdue_ms: 'int8',
        registered_at: 'timestamptz',
        /** Of the registration: what was appended before it, nobody waits for. */
        registered_position: 'int8',
        retired_at: 'timestamptz?',
        first_position: 'int8',
        position: 'int8',
        revision: 'int8'
      },
      key: ['name'],
      indexes: ['(first_position)']
    }),
    receipts: table({
      columns: {
        consumer: 'text',
        event_position: 'int8',
        event_id: 'uuid',
        user_id: 'uuid',
        outcome: 'text',
        items: 'int4',
        digest: 'text',
        acknowledged_at: 'timestamptz',
        position: 'int8'
      },
      key: ['consumer', 'event_position'],
      indexes: ['(user_id, event_position)']
    })
  },
  on: {
    'consumer.registered': ({ consumers }, { data, position, revision }) => consumers.change({ name: data.consumer }, (row) => ({
      name: data.consumer, consumer_group: data.group, overdue_ms: BigInt(data.overdueMs), registered_at: data.registeredAt,
      registered_position: position, retired_at: null, first_position: row?.first_position ?? position, position, revision
    })),
    'consumer.changed': ({ consumers }, { data, position, revision }) => consumers.patch({ name: data.consumer }, {
      consumer_group: data.group, overdue_ms: BigInt(data.overdueMs), position, revision
    }),
    'consumer.retired': ({ consumers }, { data, position, revision }) =>
      consumers.patch({ name: data.consumer }, { retired_at: data.retiredAt, position, revision }),
    'consumer.mac_key_opened': ignored,
    'cascade.acknowledged': ({ receipts }, { data, position }) => receipts.put({
      consumer: data.consumer, event_position: BigInt(data.eventPosition), event_id: data.eventId, user_id: data.userId,
      outcome: data.outcome, items: data.items, digest: data.digest, acknowledged_at: data.acknowledgedAt, position
    })
  }
})
