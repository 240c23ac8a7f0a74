/** Sources become modules for Node; packages stay what Node finds itself. */
export const FOR_NODE = { bundle: true, format: 'esm', platform: 'node', target: 'node20', packages: 'external', logLevel: 'warning' }
