// `chancery superadmin recover` and `chancery keys rotate`: the two verbs that need the data folder and a stopped service.
import { explain, StartError } from '../../start-error.ts'
import { readConfig, type Config } from '../../config.ts'
import { Failure } from '../failures.ts'
import { jsonOption, type Family, type Json, type Tools } from '../verb.ts'

export const dataFolderVerbs: Family = (program, bind) => {
  const superadmin = program.command('superadmin').description('With the service stopped: a way back in.')
  const recover = superadmin.command('recover')
    .description('Makes a new token for the first superadmin and leaves it in superadmin.token of the data folder. The log says that it happened. Older tokens stay good.')
    .addOption(jsonOption())
  bind(recover, async ({ surroundings, terminal }, options: Json) => {
    const { file } = await offline(surroundings, async (config) => (await import('../../offline/recover.ts')).recover(config))
    if (options.json === true) terminal.json({ file })
    else terminal.line(`The superadmin's new token is in ${file}. Start the service with npm start.`)
    return 'done'
  })

  const keys = program.command('keys').description('With the service stopped: the key that wraps all others.')
  const rotate = keys.command('rotate')
    .description('Wraps every key of the vault again under a new master key. No event and no row of a read model changes. Cut off, it is simply run again.')
    .option('--to <file>', 'file that holds the new key (32 bytes in hex or base64); needed where the master key comes from a setting')
    .addOption(jsonOption())
  bind(rotate, async ({ surroundings, terminal }, options: Json & { to?: string }) => {
    const rotation = await offline(surroundings, async (config) => (await import('../../offline/rotate.ts')).rotate(config, options.to))
    if (options.json === true) terminal.json(rotation)
    else {
      terminal.line(`${rotation.wrapped} keys were wrapped again. The master key is now that in ${rotation.file}: keep a copy of it apart from the vault.`)
      terminal.line(rotation.old === undefined
        ? 'Point CHANCERY_MASTER_KEY or CHANCERY_MASTER_KEY_FILE at it before the next start.'
        : `The old one is in ${rotation.old}: backups of the vault from before need it. Move it away.`)
    }
    return 'done'
  })
}

/** What cannot be opened is told as at a start of the service. The service's modules are loaded only here: they are many. */
const offline = async <T>({ env }: Tools['surroundings'], work: (config: Config) => Promise<T>): Promise<T> => {
  try {
    return await work(readConfig(env))
  } catch (error) {
    if (error instanceof StartError) throw new Failure('refused', explain(error))
    throw error
  }
}
