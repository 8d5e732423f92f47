import type { KubeObject } from '../object.ts'
import { certificateSigningRequestRules } from './certificateSigningRequest.ts'
import { configMapRules } from './configMap.ts'
import { controllerRevisionRules } from './controllerRevision.ts'
import { cronJobRules } from './cronJob.ts'
import { daemonSetRules } from './daemonSet.ts'
import { declaredErrors } from './declared.ts'
import { deploymentRules } from './deployment.ts'
import { endpointSliceRules } from './endpointSlice.ts'
import { endpointsRules } from './endpoints.ts'
import { eventRules } from './event.ts'
import { worded, type FieldError } from './fieldError.ts'
import { flowSchemaRules, priorityLevelConfigurationRules } from './flowcontrol.ts'
import { horizontalPodAutoscalerRules } from './horizontalPodAutoscaler.ts'
import { ingressRules } from './ingress.ts'
import { ingressClassRules } from './ingressClass.ts'
import { jobRules } from './job.ts'
import type { Rules, Target } from './kindRules.ts'
import { leaseRules } from './lease.ts'
import { limitRangeRules } from './limitRange.ts'
import { commonUpdateErrors, genericMetadataErrors, genericMetadataUpdateErrors, metadataErrors, metadataUpdateErrors } from './metadata.ts'
import { namespaceRules } from './namespace.ts'
import { pathSegmentName, subdomainName } from './names.ts'
import { networkPolicyRules } from './networkPolicy.ts'
import { nodeRules } from './node.ts'
import { persistentVolumeRules } from './persistentVolume.ts'
import { persistentVolumeClaimRules } from './persistentVolumeClaim.ts'
import { podRules, podTemplateRules } from './pod.ts'
import { podDisruptionBudgetRules } from './podDisruptionBudget.ts'
import { priorityClassRules } from './priorityClass.ts'
import { clusterRoleBindingRules, clusterRoleRules, roleBindingRules, roleKindRules } from './rbac.ts'
import { replicaSetRules } from './replicaSet.ts'
import { replicationControllerRules } from './replicationController.ts'
import { resourceQuotaRules } from './resourceQuota.ts'
import { runtimeClassRules } from './runtimeClass.ts'
import { secretRules } from './secret.ts'
import { serviceRules } from './service.ts'
import { serviceAccountRules } from './serviceAccount.ts'
import { statefulSetRules } from './statefulSet.ts'
import { csiDriverRules, csiNodeRules, csiStorageCapacityRules, storageClassRules, volumeAttachmentRules } from './storage.ts'
import { mutatingWebhookConfigurationRules, validatingWebhookConfigurationRules } from './webhookConfiguration.ts'

/** By kind; a kind has the same rules in all its groups and versions. */
const RULES: Readonly<Record<string, Rules>> = {
  CertificateSigningRequest: certificateSigningRequestRules,
  ClusterRole: clusterRoleRules,
  ClusterRoleBinding: clusterRoleBindingRules,
  ConfigMap: configMapRules,
  ControllerRevision: controllerRevisionRules,
  CronJob: cronJobRules,
  CSIDriver: csiDriverRules,
  CSINode: csiNodeRules,
  CSIStorageCapacity: csiStorageCapacityRules,
  DaemonSet: daemonSetRules,
  Deployment: deploymentRules,
  Endpoints: endpointsRules,
  EndpointSlice: endpointSliceRules,
  Event: eventRules,
  FlowSchema: flowSchemaRules,
  HorizontalPodAutoscaler: horizontalPodAutoscalerRules,
  Ingress: ingressRules,
  IngressClass: ingressClassRules,
  Job: jobRules,
  Lease: leaseRules,
  LimitRange: limitRangeRules,
  MutatingWebhookConfiguration: mutatingWebhookConfigurationRules,
  Namespace: namespaceRules,
  NetworkPolicy: networkPolicyRules,
  Node: nodeRules,
  PersistentVolume: persistentVolumeRules,
  PersistentVolumeClaim: persistentVolumeClaimRules,
  Pod: podRules,
  PodDisruptionBudget: podDisruptionBudgetRules,
  PodTemplate: podTemplateRules,
  PriorityClass: priorityClassRules,
  PriorityLevelConfiguration: priorityLevelConfigurationRules,
  ReplicaSet: replicaSetRules,
  ReplicationController: replicationControllerRules,
  ResourceQuota: resourceQuotaRules,
  Role: roleKindRules,
  RoleBinding: roleBindingRules,
  RuntimeClass: runtimeClassRules,
  Secret: secretRules,
  Service: serviceRules,
  ServiceAccount: serviceAccountRules,
  StatefulSet: statefulSetRules,
  StorageClass: storageClassRules,
  ValidatingWebhookConfiguration: validatingWebhookConfigurationRules,
  VolumeAttachment: volumeAttachmentRules,
}

/** Kinds of later releases, whose own rules only their source has, and of servers with metadata rules alone: what the schema declares comes beside it. */
function plainRules({ namespaced, group }: Target): Rules {
  if (GENERIC_GROUPS.has(group))
    return { create: (created) => genericMetadataErrors(created, { namespaced, name: subdomainName }), update: genericMetadataUpdateErrors }
  return { create: (created) => metadataErrors(created, { namespaced, name: subdomainName }), update: metadataUpdateErrors }
}

/** Groups that do not ask finalizers to be qualified names. */
const GENERIC_GROUPS = new Set(['apiextensions.k8s.io', 'apiregistration.k8s.io'])

/** What the schema declares, unless the kind's own rules found the same field wrong. */
function withDeclared(own: FieldError[], declared: Iterable<FieldError>): FieldError[] {
  const found = own.map((each) => each.field)
  const covered = ({ field }: FieldError): boolean => found.some((each) => field === each || field.startsWith(`${each}.`) || field.startsWith(`${each}[`))
  return [...own, ...[...declared].filter((each) => !covered(each))]
}

/** Errors of a new object, in the order and words of a release. */
export function createErrors(created: KubeObject, target: Target): FieldError[] {
  const rules = RULES[target.kind]
  const own = [...(rules ?? plainRules(target)).create(created, target)]
  const errors = withDeclared(own, declaredErrors(created, null, target, rules !== undefined))
  // What all kinds have in common is told when the kind itself has nothing to say.
  return worded(errors.length > 0 ? errors : [...genericMetadataErrors(created, { namespaced: target.namespaced, name: pathSegmentName })], target.minor)
}

/** Errors of a changed object. */
export function updateErrors(after: KubeObject, before: KubeObject, target: Target): FieldError[] {
  const rules = RULES[target.kind]
  const { subresources, status, update } = rules ?? plainRules(target)
  const special = subresources?.[target.subresource] ?? (target.subresource === 'status' ? status : undefined) ?? update
  const own = [...commonUpdateErrors(after, before, target.namespaced), ...special(after, before, target)]
  return worded(withDeclared(own, declaredErrors(after, before, target, rules !== undefined)), target.minor)
}
