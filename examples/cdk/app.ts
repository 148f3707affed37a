// A Fargate service with ESP beside it. Of a service that you have already, take
// the two calls that name ESP.
import { App, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as logs from 'aws-cdk-lib/aws-logs';
import { EspScaling, addEsp } from './esp';

const app = new App({ outdir: process.env.CDK_OUTDIR });
const stack = new Stack(app, 'Web', { env: { account: '111122223333', region: 'eu-west-1' } });

const clusterName = 'shop';
const serviceName = 'web';
const namespace = 'Shop';
const registry = '111122223333.dkr.ecr.eu-west-1.amazonaws.com';

const vpc = new ec2.Vpc(stack, 'Vpc', { natGateways: 0 });
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
  vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
  // No desiredCount: a deployment would undo the scaling.
});

// CloudWatch inside the VPC, for subnets without a NAT gateway; such subnets
// need the registry's and the log's endpoints as well.
vpc.addInterfaceEndpoint('Monitoring', {
  service: ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_MONITORING,
});

new EspScaling(stack, 'EspScaling', { service, clusterName, serviceName, namespace });

app.synth();
