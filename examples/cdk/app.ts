// A Fargate service with ESP beside it, in subnets without a way out of the VPC. For
// a service that you already have, take the two calls that name ESP.
import { App, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import { EspScaling, addEsp } from './esp';

const app = new App({ outdir: process.env.CDK_OUTDIR });
const stack = new Stack(app, 'Web', { env: { account: '111122223333', region: 'eu-west-1' } });

const clusterName = 'shop';
const serviceName = 'web';
const namespace = 'Shop';
const registry = '111122223333.dkr.ecr.eu-west-1.amazonaws.com';

const vpc = new ec2.Vpc(stack, 'Vpc', { natGateways: 0 });
const isolated: ec2.SubnetSelection = { subnetType: ec2.SubnetType.PRIVATE_ISOLATED };

// A task needs the registry, the log and, for ESP, CloudWatch. The registry keeps the
// layers of images in S3. If your subnets have a NAT gateway, leave all of these out.
const endpoints: ec2.VpcEndpoint[] = Object.entries({
  RegistryApi: ec2.InterfaceVpcEndpointAwsService.ECR,
  Registry: ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
  Logs: ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
  Monitoring: ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_MONITORING,
}).map(([id, service]) => vpc.addInterfaceEndpoint(id, { service, subnets: isolated }));
endpoints.push(
  vpc.addGatewayEndpoint('Layers', {
    service: ec2.GatewayVpcEndpointAwsService.S3,
    subnets: [isolated],
  }),
);

const cluster = new ecs.Cluster(stack, 'Cluster', { clusterName, vpc });
const logGroup = new logs.LogGroup(stack, 'Log', {
  logGroupName: '/ecs/shop/web',
  retention: logs.RetentionDays.ONE_MONTH,
});

const task = new ecs.FargateTaskDefinition(stack, 'Task', {
  family: 'web',
  cpu: 512,
  memoryLimitMiB: 1024,
});
// The images are named by text, so the CDK does not know that they need a permission.
task
  .obtainExecutionRole()
  .addManagedPolicy(
    iam.ManagedPolicy.fromAwsManagedPolicyName('service-role/AmazonECSTaskExecutionRolePolicy'),
  );
const web = task.addContainer('web', {
  image: ecs.ContainerImage.fromRegistry(`${registry}/web:1.0.0`),
  cpu: 480,
  portMappings: [{ containerPort: 8080 }],
  healthCheck: { command: ['CMD-SHELL', 'curl -f http://localhost:8080/ || exit 1'] },
  logging: ecs.LogDrivers.awsLogs({ logGroup, streamPrefix: 'web' }),
});

addEsp(task, {
  image: ecs.ContainerImage.fromRegistry(`${registry}/esp:0.1.0`),
  measured: web,
  namespace,
  serviceName,
  logGroup,
});

const service = new ecs.FargateService(stack, 'Service', {
  serviceName,
  cluster,
  taskDefinition: task,
  vpcSubnets: isolated,
  // A deployment whose tasks do not start or are unhealthy goes back to the last one
  // that worked, and no task ends before its successor runs.
  circuitBreaker: { enable: true, rollback: true },
  minHealthyPercent: 100,
  // No desiredCount: a deployment would undo the scaling.
});
// The first task needs these; the CDK itself adds only the task role.
service.node.addDependency(task.obtainExecutionRole(), ...endpoints);

new EspScaling(stack, 'EspScaling', {
  service,
  clusterName,
  serviceName,
  namespace,
  // None, or what `cdk deploy -c hotTaskAlarm=maximum` says.
  hotTaskAlarm: app.node.tryGetContext('hotTaskAlarm'),
});

app.synth();
