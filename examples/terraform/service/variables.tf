variable "region" {
  description = "The Region."
  type        = string
}

variable "cluster_name" {
  description = "The name of an existing ECS cluster."
  type        = string
}

variable "vpc_id" {
  description = "The VPC of the subnets."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets for the tasks."
  type        = list(string)
}

variable "web_image" {
  description = "The image of the container to measure. It must listen on port 8080."
  type        = string
}

variable "esp_image" {
  description = "ESP's image."
  type        = string
}

variable "namespace" {
  description = "The CloudWatch namespace to publish to."
  type        = string
  default     = "Shop"
}

variable "esp_environment" {
  description = "More variables for ESP."
  type        = map(string)
  default     = {}
}

variable "hot_task_alarm" {
  description = "A second alarm: \"maximum\", \"p90\" or \"none\"."
  type        = string
  default     = "none"
}

variable "endpoints" {
  description = "Interface endpoints to create in the VPC. None if the subnets have a NAT gateway or the VPC has the endpoints. [\"monitoring\"] if only CloudWatch is missing. [\"ecr.api\", \"ecr.dkr\", \"logs\", \"monitoring\"] with endpoint_route_table_ids if the subnets have no other way out."
  type        = list(string)
  default     = []
}

variable "endpoint_route_table_ids" {
  description = "Route tables of the subnets, for the gateway endpoint of S3."
  type        = list(string)
  default     = []
}
