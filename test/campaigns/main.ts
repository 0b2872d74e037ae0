// Chooses a campaign: `npm run campaign` deletes accounts while Redis fails, `npm run campaign -- rotation` rotates credentials.
const campaigns: Readonly<Record<string, () => Promise<unknown>>> = { lifecycle: () => import('./lifecycle.ts'), rotation: () => import('./rotation.ts') }
const name = process.argv[2] ?? 'lifecycle'
const campaign = campaigns[name]
if (campaign === undefined) throw new Error(`there is no campaign ${name}; there are ${Object.keys(campaigns).join(', ')}`)
await campaign()
