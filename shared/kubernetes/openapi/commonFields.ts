/**
 * What the fields that every object has are for, in words of our own: the descriptions of all others are upstream's prose, and are shown from a
 * real cluster where one was connected.
 */
export const COMMON_TYPES: Readonly<Record<string, string>> = {
  'meta.ObjectMeta': 'ObjectMeta is what every stored object has: its name, what it is marked with, and what the server keeps about it.',
  'meta.ListMeta': 'ListMeta is what every list has: at which version of the data it was read, and how to go on reading.',
  'meta.OwnerReference': 'OwnerReference names an object without which this one is garbage.',
}

/** Of an object with a kind. */
export const KIND_FIELDS: Readonly<Record<'apiVersion' | 'kind' | 'metadata', string>> = {
  apiVersion: 'APIVersion defines in the form of which group and version the object is written, as in apps/v1.',
  kind: 'Kind is the type of the object in CamelCase, as in Deployment. It cannot be changed.',
  metadata: "Standard object's metadata: its name, what it is marked with, and what the server keeps about it.",
}

/** By type and field. */
export const COMMON_FIELDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'meta.ObjectMeta': {
    name: 'Name tells the object apart from others of its kind in the namespace. It cannot be changed.',
    generateName: 'GenerateName is what a name begins with that the server is to make, where none is given: it appends five random letters and digits.',
    namespace: 'Namespace is where the object and its name belong. Empty for kinds that are not in a namespace. It cannot be changed.',
    selfLink: 'SelfLink was the path of the object until release 1.19, and is empty since.',
    uid: 'UID tells the object apart from all that ever were, one of the same name before or after it among them. The server makes it.',
    resourceVersion:
      'ResourceVersion changes with each write of the object. An update that carries another one than is stored is refused, as somebody else has written in between. Compare it for equality only.',
    generation:
      'Generation counts the changes of what is wanted of the object, which is its spec. Controllers tell in a status which generation they have seen.',
    creationTimestamp: 'CreationTimestamp is a timestamp of when the server made the object, in UTC.',
    deletionTimestamp:
      'DeletionTimestamp is when the object may be gone, once its deletion was asked for and it has to wait for its grace period or its finalizers. It cannot be taken back.',
    deletionGracePeriodSeconds: 'DeletionGracePeriodSeconds is how many seconds the object has for an orderly end. It can only be shortened.',
    labels: 'Labels are names and values by which objects are selected, by controllers, services and users.',
    annotations: 'Annotations are names and values that tools keep with the object. Nothing is selected by them.',
    ownerReferences: 'OwnerReferences name the objects that this one belongs to. When the last of them is gone, it is deleted as garbage.',
    finalizers:
      'Finalizers name what has to be done before the object may go. Whoever has done its part takes its own entry out, and with the last one the object is gone.',
    managedFields: 'ManagedFields tell who has set which fields, and when: by them server-side apply finds conflicts.',
  },
  'meta.ListMeta': {
    selfLink: 'SelfLink was the path of the list until release 1.19, and is empty since.',
    resourceVersion: 'ResourceVersion is the version of the data that the list shows. A watch goes on from it.',
    continue: 'Continue is what to send for the next part of a list that was limited. Empty in the last one. It holds for some minutes.',
    remainingItemCount: 'RemainingItemCount is how many objects follow, where that is known.',
  },
  'meta.OwnerReference': {
    apiVersion: 'APIVersion of the owner.',
    kind: 'Kind of the owner.',
    name: 'Name of the owner.',
    uid: 'UID of the owner: one of the same name that comes after it is another.',
    controller: 'Controller is true of the one owner that manages the object.',
    blockOwnerDeletion: 'BlockOwnerDeletion lets an owner that is deleted in the foreground wait until this object is gone.',
  },
}
