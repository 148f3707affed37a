// ESP beside the container to measure, and step scaling on its metric.
import { Duration, Size } from 'aws-cdk-lib';
import * as appscaling from 'aws-cdk-lib/aws-applicationautoscaling';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';

export interface EspProps {
  /** ESP's image, with a tag or a digest. */
  readonly image: ecs.ContainerImage;
  /** The container to measure, of the same task definition. */
  readonly measured: ecs.ContainerDefinition;
  /** The CloudWatch namespace to publish to. */
  readonly namespace: string;
  /**
   * The service's name as text. Required on Fargate, whose endpoint may not report
   * it. `service.serviceName` would be a cycle.
   */
  readonly serviceName?: string;
  /** For ESP's own log. */
  readonly logGroup: logs.ILogGroup;
  /** More variables for ESP. */
  readonly environment?: { [name: string]: string };
}

/** Adds the container and its permission. ../README.md has the reasons. */
export function addEsp(task: ecs.TaskDefinition, props: EspProps): ecs.ContainerDefinition {
  task.addToTaskRolePolicy(
    new iam.PolicyStatement({
      actions: ['cloudwatch:PutMetricData'],
      resources: ['*'],
      conditions: { StringEquals: { 'cloudwatch:namespace': props.namespace } },
    }),
  );
  const linuxParameters = new ecs.LinuxParameters(task, 'EspLinux');
  linuxParameters.dropCapabilities(ecs.Capability.ALL);
  const esp = task.addContainer('esp', {
    image: props.image,
    essential: false,
    enableRestartPolicy: true,
    restartIgnoredExitCodes: [64],
    restartAttemptPeriod: Duration.seconds(60),
    healthCheck: {
      command: ['CMD', '/esp', 'health'],
      interval: Duration.seconds(30),
      timeout: Duration.seconds(5),
      retries: 3,
      startPeriod: Duration.seconds(60),
    },
    cpu: 32,
    memoryLimitMiB: 64,
    user: '65532:65532',
    readonlyRootFilesystem: true,
    linuxParameters,
    environment: {
      CONTAINER_NAME: props.measured.containerName,
      NAMESPACE: props.namespace,
      ...(props.serviceName === undefined ? {} : { SERVICE_NAME: props.serviceName }),
      ...props.environment,
    },
    logging: ecs.LogDrivers.awsLogs({
      logGroup: props.logGroup,
      streamPrefix: 'esp',
      mode: ecs.AwsLogDriverMode.NON_BLOCKING,
      maxBufferSize: Size.mebibytes(1),
    }),
  });
  esp.addContainerDependencies({
    container: props.measured,
    condition: ecs.ContainerDependencyCondition.START,
  });
  return esp;
}

export interface EspScalingProps {
  /** The service that the container runs in. */
  readonly service: ecs.BaseService;
  /** The cluster's and the service's names: the dimensions of the metric. */
  readonly clusterName: string;
  readonly serviceName: string;
  /** The namespace that ESP publishes to. */
  readonly namespace: string;
  readonly minCapacity?: number;
  readonly maxCapacity?: number;
  /**
   * A second alarm, which adds one task at most every five minutes: 'maximum' if one
   * task is hot, 'p90' if a tenth of the tasks is.
   */
  readonly hotTaskAlarm?: 'maximum' | 'p90';
}

/** What both policies on the average have. */
const byPercent = {
  adjustmentType: 'PercentChangeInCapacity',
  minAdjustmentMagnitude: 1,
  metricAggregationType: 'Average',
};

/** Scales out within seconds, and in after minutes. */
export class EspScaling extends Construct {
  constructor(scope: Construct, id: string, props: EspScalingProps) {
    super(scope, id);

    // Not ScalableTarget, which creates a role: for ECS, AWS uses the service-linked
    // role, which it creates itself.
    const target = new appscaling.CfnScalableTarget(this, 'Target', {
      serviceNamespace: appscaling.ServiceNamespace.ECS,
      resourceId: `service/${props.clusterName}/${props.serviceName}`,
      scalableDimension: 'ecs:service:DesiredCount',
      minCapacity: props.minCapacity ?? 2,
      maxCapacity: props.maxCapacity ?? 50,
    });
    // The service has to exist first.
    target.node.addDependency(props.service);

    const out = this.policy('Out', `${props.serviceName}-out`, target, {
      ...byPercent,
      // What a new task takes to serve, and 20 s more. The default of 300 would be slow.
      cooldown: 90,
      stepAdjustments: [
        { metricIntervalLowerBound: 0, metricIntervalUpperBound: 10, scalingAdjustment: 50 },
        { metricIntervalLowerBound: 10, scalingAdjustment: 100 },
      ],
    });
    const back = this.policy('In', `${props.serviceName}-in`, target, {
      ...byPercent,
      cooldown: 300,
      stepAdjustments: [{ metricIntervalUpperBound: 0, scalingAdjustment: -10 }],
    });

    const cpu = (statistic: string, period: number) =>
      new cloudwatch.Metric({
        namespace: props.namespace,
        metricName: 'CPUUtilization',
        dimensionsMap: { ClusterName: props.clusterName, ServiceName: props.serviceName },
        statistic,
        period: Duration.seconds(period),
      });
    const metric = cpu('Average', 10);

    new cloudwatch.Alarm(this, 'High', {
      alarmName: `${props.serviceName}-cpu-high`,
      alarmDescription: `${props.serviceName} is to be scaled out`,
      metric,
      evaluationPeriods: 2,
      datapointsToAlarm: 1,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      threshold: 60,
      // No data is no load.
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    }).addAlarmAction({ bind: () => ({ alarmActionArn: out.ref }) });

    new cloudwatch.Alarm(this, 'Low', {
      alarmName: `${props.serviceName}-cpu-low`,
      alarmDescription: `${props.serviceName} may be scaled in`,
      metric,
      evaluationPeriods: 30,
      datapointsToAlarm: 27,
      comparisonOperator: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
      threshold: 20,
      // Never BREACHING: silence would scale in.
      treatMissingData: cloudwatch.TreatMissingData.MISSING,
    }).addAlarmAction({ bind: () => ({ alarmActionArn: back.ref }) });

    if (props.hotTaskAlarm === undefined) return;
    // An average hides one hot task. This adds one task at a time: with the steps of the
    // policy above, a task that stays hot would drive the service to its greatest size.
    const hot = this.policy('Hot', `${props.serviceName}-hot`, target, {
      adjustmentType: 'ChangeInCapacity',
      metricAggregationType: 'Maximum',
      cooldown: 300,
      stepAdjustments: [{ metricIntervalLowerBound: 0, scalingAdjustment: 1 }],
    });
    const alarm =
      props.hotTaskAlarm === 'maximum'
        ? {
            alarmDescription: `a task of ${props.serviceName} is hot`,
            metric: cpu('Maximum', 10),
            evaluationPeriods: 7,
            datapointsToAlarm: 6,
            threshold: 90,
          }
        : {
            alarmDescription: `a tenth of ${props.serviceName}'s tasks is hot`,
            metric: cpu('p90', 30),
            // Fewer than 100 samples in a period change nothing: five tasks with a sample
            // a second.
            evaluateLowSampleCountPercentile: 'ignore',
            evaluationPeriods: 2,
            datapointsToAlarm: 2,
            threshold: 80,
          };
    new cloudwatch.Alarm(this, 'HotTask', {
      ...alarm,
      alarmName: `${props.serviceName}-cpu-hot`,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
    }).addAlarmAction({ bind: () => ({ alarmActionArn: hot.ref }) });
  }

  private policy(
    id: string,
    policyName: string,
    target: appscaling.CfnScalableTarget,
    steps: appscaling.CfnScalingPolicy.StepScalingPolicyConfigurationProperty,
  ): appscaling.CfnScalingPolicy {
    return new appscaling.CfnScalingPolicy(this, id, {
      policyName,
      policyType: 'StepScaling',
      scalingTargetId: target.ref,
      stepScalingPolicyConfiguration: {
        ...steps,
      },
    });
  }
}
